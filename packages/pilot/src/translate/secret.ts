/**
 * SDS: certificates for gateways from Secrets of their own namespace. `kubernetes://name`, and `-cacert` for what peers are checked against.
 * A sidecar gets only what a DestinationRule with a workloadSelector names for it: Secrets are not open to every pod of a namespace.
 */
import type { EnvoyMessage } from "../model/json.ts";
import type { TlsSecret } from "../model/mesh-state.ts";
import type { TranslateContext } from "./context.ts";
import { canReadSecrets } from "./tls-context.ts";

const SCHEME = "kubernetes://";
const CA_SUFFIX = "-cacert";

/** Only Secrets beside the proxy: a name cannot reach into another namespace. */
export function gatewaySecretResource(context: TranslateContext, name: string): EnvoyMessage | undefined {
  const { state, node } = context;
  if (!name.startsWith(SCHEME)) return undefined;
  const path = name.slice(SCHEME.length);
  const slash = path.indexOf("/");
  if (slash !== -1 && path.slice(0, slash) !== node.namespace) return undefined;
  const id = path.slice(slash + 1);
  if (node.type === "sidecar" && !isNamedForSidecar(context, id)) return undefined;
  const find = (key: string) => state.secrets.get(`${node.namespace}/${key}`);
  if (id.endsWith(CA_SUFFIX)) {
    const bytes = (find(id) ?? find(id.slice(0, -CA_SUFFIX.length)))?.caCertificate;
    return bytes === undefined ? undefined : { name, validation_context: { trusted_ca: { inline_bytes: bytes } } };
  }
  return certificate(name, find(id));
}

function isNamedForSidecar({ scope, node }: TranslateContext, id: string): boolean {
  const names = (policy: { readonly tls?: { readonly credentialName?: string } } | undefined) => {
    const own = policy?.tls?.credentialName;
    return own !== undefined && (id === own || id === `${own}${CA_SUFFIX}`);
  };
  return scope.services.some((service) => {
    const rule = scope.ruleFor(service);
    if (rule === undefined || !canReadSecrets(node.type, rule)) return false;
    return [rule.trafficPolicy, ...rule.subsets.map((subset) => subset.trafficPolicy)].some(
      (policy) => names(policy) || policy?.portLevelSettings?.some(names) === true,
    );
  });
}

function certificate(name: string, secret: TlsSecret | undefined): EnvoyMessage | undefined {
  if (secret?.certificate === undefined || secret.key === undefined) return undefined;
  return {
    name,
    tls_certificate: {
      certificate_chain: { inline_bytes: secret.certificate },
      private_key: { inline_bytes: secret.key },
    },
  };
}

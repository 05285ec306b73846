/** SDS: certificates for gateways from Secrets of their own namespace. `kubernetes://name`, and `-cacert` for what clients are checked against. */
import type { EnvoyMessage } from "../model/json.ts";
import type { TlsSecret } from "../model/mesh-state.ts";
import type { TranslateContext } from "./context.ts";

const SCHEME = "kubernetes://";
const CA_SUFFIX = "-cacert";

/** Only gateways read Secrets, and only those beside them: a name cannot reach into another namespace. */
export function gatewaySecretResource({ state, node }: TranslateContext, name: string): EnvoyMessage | undefined {
  if (node.type !== "router" || !name.startsWith(SCHEME)) return undefined;
  const id = name.slice(SCHEME.length);
  const find = (key: string) => state.secrets.get(`${node.namespace}/${key}`);
  if (id.endsWith(CA_SUFFIX)) {
    const ca = find(id) ?? find(id.slice(0, -CA_SUFFIX.length));
    const bytes = ca?.caCertificate ?? ca?.certificate;
    return bytes === undefined ? undefined : { name, validation_context: { trusted_ca: { inline_bytes: bytes } } };
  }
  return certificate(name, find(id));
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

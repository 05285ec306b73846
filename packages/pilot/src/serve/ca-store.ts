/**
 * Where the mesh's signing key lives: a Secret, by Istio's names. `cacerts` is plugged in by the operator, `istio-ca-secret` is ours.
 * The files in it: ca-cert.pem, ca-key.pem, and for a plugged-in intermediate cert-chain.pem and root-cert.pem.
 * https://istio.io/latest/docs/tasks/security/cert-management/plugin-ca-cert/
 */
export type CaSecretName = "cacerts" | "istio-ca-secret";
export type CaFiles = Readonly<Record<string, string>>;

export interface CaStore {
  /** Contents (PEM, decoded from base64) of a Secret of istio-system, or undefined. */
  load(name: CaSecretName): Promise<CaFiles | undefined>;
  /** False: it exists already (another istiod was faster); then it is loaded again. */
  create(name: CaSecretName, files: CaFiles): Promise<boolean>;
}

/** For tests and for istiod without a cluster: a new root with every start. */
export function createMemoryCaStore(): CaStore {
  const secrets = new Map<CaSecretName, CaFiles>();
  return {
    load: async (name) => secrets.get(name),
    async create(name, files) {
      if (secrets.has(name)) return false;
      secrets.set(name, files);
      return true;
    },
  };
}

/** kubeconfig files with everything embedded, so that one file is all a client needs. Context, cluster and user are named `argyle`. */
import type { KeyPair } from "./pki.ts";

export function buildKubeconfig(serverUrl: string, caCertPem: string, client: KeyPair): string {
  const embed = (pem: string) => Buffer.from(pem).toString("base64");
  // JSON is YAML: no quoting rules to get wrong, and every client reads it.
  return `${JSON.stringify(
    {
      apiVersion: "v1",
      kind: "Config",
      "current-context": "argyle",
      clusters: [{ name: "argyle", cluster: { server: serverUrl, "certificate-authority-data": embed(caCertPem) } }],
      contexts: [{ name: "argyle", context: { cluster: "argyle", user: "argyle" } }],
      users: [
        {
          name: "argyle",
          user: { "client-certificate-data": embed(client.certPem), "client-key-data": embed(client.keyPem) },
        },
      ],
      preferences: {},
    },
    null,
    2,
  )}\n`;
}

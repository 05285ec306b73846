/** The CA's key in Secrets of the control plane's namespace: `cacerts` if an operator plugged one in, else `istio-ca-secret`. */
import { isAlreadyExists, type KubeClient } from "@argyle/kube-client";
import { resourceOf, type Secret } from "@argyle/kube-types";
import type { CaStore } from "../serve/ca-store.ts";

export function createKubeCaStore(client: KubeClient, namespace: string): CaStore {
  const resource = resourceOf("Secret");
  return {
    async load(name) {
      const secret = await client.find<Secret>(resource, { namespace, name });
      if (secret?.data === undefined) return undefined;
      return Object.fromEntries(
        Object.entries(secret.data).map(([file, value]) => [file, Buffer.from(value, "base64").toString("utf8")]),
      );
    },
    async create(name, files) {
      const data = Object.fromEntries(
        Object.entries(files).map(([file, text]) => [file, Buffer.from(text).toString("base64")]),
      );
      const secret = {
        apiVersion: "v1",
        kind: "Secret",
        metadata: { name, namespace },
        type: "istio.io/ca-root",
        data,
      };
      try {
        await client.create(resource, secret);
        return true;
      } catch (error) {
        if (isAlreadyExists(error)) return false;
        throw error;
      }
    },
  };
}

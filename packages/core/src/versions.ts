/** The versions that Argyle reports to clients, in one place. Behaviour and defaults follow these releases. */
export const KUBERNETES_VERSION = { major: "1", minor: "34", gitVersion: "v1.34.2+argyle" } as const;
export const ISTIO_VERSION = "1.28.0";
export const ENVOY_VERSION = "1.36.2";
export const ARGYLE_VERSION = "0.1.0";

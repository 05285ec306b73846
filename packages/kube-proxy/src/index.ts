export { type KubeProxy, type KubeProxyOptions, startKubeProxy } from "./kube-proxy.ts";

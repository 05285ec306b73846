export { clusterQuery, type NameQuery, type Resolution } from "./cluster-dns.ts";
export { type DialOptions, dialErrno } from "./dial.ts";
export {
  type HttpProxyAddress,
  httpProxyEnvironment,
  isHttpProxyToken,
  readHttpProxyAddress,
  writeHttpProxyAddress,
} from "./http-proxy.ts";
export { type IpRange, isLoopbackAddress, parseIpRange } from "./ip-address.ts";
export { type ListenOptions, listenOnPath, type ReceiveOptions, receiveProxyHeader } from "./listen.ts";
export { createPodNetwork, type PodNetwork, type PodNetworkOptions } from "./pod-network.ts";
export type { PreloadConfig } from "./preload/config.ts";
export { createRouter, type Route, type Router } from "./preload/route.ts";
export {
  authorityOf,
  authorityTlv,
  decodeProxyHeader,
  type Endpoint,
  encodeProxyHeader,
  PP2_TYPE_AUTHORITY,
  type ProxyDecoding,
  type ProxyHeader,
  proxyHeader,
  type Tlv,
} from "./proxy-protocol.ts";
export { type RelayOptions, type RelayResult, relay } from "./relay.ts";
export {
  buildPreloadConfig,
  nodeOptionsFor,
  type PreloadOptions,
  type PreloadVolumeMount,
  renderPreload,
} from "./render-preload.ts";
export { resetSocket } from "./reset.ts";

/** What one pod's preload file passes to install(): plain JSON, written by render-preload.ts. */
export interface PreloadConfig {
  /** The file that NODE_OPTIONS requires: `$RUN/<podIP>/preload.cjs`. */
  readonly preloadFile: string;
  readonly runDir: string;
  readonly podDir: string;
  readonly podIP: string;
  readonly podName: string;
  readonly namespace: string;
  readonly podCidr: string;
  readonly serviceCidr: string;
  readonly volumeMounts: readonly { readonly mountPath: string; readonly hostPath: string }[];
  /** Port of a LoadBalancer Service -> its cluster IP. */
  readonly loadBalancerPorts: Readonly<Record<string, string>>;
  /** `*` or ranges. */
  readonly includeOutboundIPRanges: readonly string[];
  readonly excludeOutboundIPRanges: readonly string[];
  readonly includeOutboundPorts: readonly number[];
  readonly excludeOutboundPorts: readonly number[];
}

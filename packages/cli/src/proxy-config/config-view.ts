/** What of Envoy's admin pages the tables read. Everything may be absent: the page is another program's. */
export interface ConfigDump {
  readonly configs?: readonly Readonly<Record<string, unknown>>[];
}

export interface MatchView {
  readonly destination_port?: number;
  readonly prefix_ranges?: readonly { readonly address_prefix?: string; readonly prefix_len?: number }[];
  readonly server_names?: readonly string[];
  readonly transport_protocol?: string;
  readonly application_protocols?: readonly string[];
}

export interface ChainView {
  readonly name?: string;
  readonly filter_chain_match?: MatchView;
  readonly filters?: readonly { readonly typed_config?: FilterView }[];
}

export interface FilterView {
  readonly "@type"?: string;
  readonly cluster?: string;
  readonly weighted_clusters?: { readonly clusters?: readonly { readonly name: string }[] };
  readonly rds?: { readonly route_config_name?: string };
  readonly route_config?: RouteView;
}

export interface ListenerView {
  readonly name?: string;
  readonly address?: { readonly socket_address?: { readonly address?: string; readonly port_value?: number } };
  readonly filter_chains?: readonly ChainView[];
  readonly default_filter_chain?: ChainView;
}

export interface RouteView {
  readonly name?: string;
  readonly virtual_hosts?: readonly {
    readonly name?: string;
    readonly domains?: readonly string[];
    readonly routes?: readonly {
      readonly match?: {
        readonly prefix?: string;
        readonly path?: string;
        readonly path_separated_prefix?: string;
        readonly safe_regex?: { readonly regex?: string };
      };
      readonly metadata?: MetadataView;
    }[];
  }[];
}

export interface MetadataView {
  readonly filter_metadata?: { readonly istio?: { readonly config?: string } };
}

export interface ClusterView {
  readonly name?: string;
  readonly type?: string;
  readonly metadata?: MetadataView;
}

export interface SecretView {
  readonly name?: string;
  readonly tls_certificate?: { readonly certificate_chain?: { readonly inline_bytes?: string } };
  readonly validation_context?: { readonly trusted_ca?: { readonly inline_bytes?: string } };
}

export interface ClusterStatuses {
  readonly cluster_statuses?: readonly {
    readonly name: string;
    readonly host_statuses?: readonly {
      readonly address?: {
        readonly socket_address?: { readonly address?: string; readonly port_value?: number };
        readonly pipe?: { readonly path?: string };
      };
      readonly health_status?: { readonly eds_health_status?: string; readonly failed_outlier_check?: boolean };
    }[];
  }[];
}

/** The resources of one section: `inner` is the field that holds each of them. */
export function sectionOf<T>(dump: ConfigDump, section: string, inner: string): readonly T[] {
  const list = (dump.configs ?? []).flatMap((config) => config[section] ?? []);
  return list.flatMap((entry) => {
    const found = (entry as Readonly<Record<string, unknown>>)[inner];
    return found === undefined ? [] : [found as T];
  });
}

/** `/apis/networking.istio.io/v1/namespaces/shop/virtual-service/front` → `front.shop`. */
export function configName(metadata: MetadataView | undefined): string {
  const match = /\/namespaces\/([^/]+)\/[^/]+\/([^/]+)$/.exec(metadata?.filter_metadata?.istio?.config ?? "");
  return match === null ? "" : `${match[2]}.${match[1]}`;
}

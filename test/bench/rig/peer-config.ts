/** What comes closest to our configurations in nginx and haproxy. */
import { HOST, LARGE_PATH, SMALL_PATH } from "./dataplane-config.ts";

/** nginx as the backend (two locations) or, with `upstream`, as a plain reverse proxy. */
export function nginxConfig(port: number, dir: string, upstream?: number): string {
  const body = Buffer.alloc(1024, "x").toString();
  const locations =
    upstream === undefined
      ? `location ${SMALL_PATH} { default_type application/json; return 200 "${body}"; }
         location ${LARGE_PATH} { default_type application/octet-stream; alias ${dir}/large; }`
      : "location / { proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ''; proxy_set_header Host $host; }";
  const pool =
    upstream === undefined
      ? ""
      : `upstream up { server 127.0.0.1:${upstream}; keepalive 512; keepalive_requests 100000000; }`;
  return `daemon off; master_process off; worker_processes 1; error_log /dev/null; pid ${dir}/nginx-${port}.pid;
events { worker_connections 4096; }
http { access_log off; sendfile on; tcp_nodelay on; keepalive_requests 100000000; open_file_cache max=16; client_body_temp_path ${dir}; proxy_temp_path ${dir};
  fastcgi_temp_path ${dir}; uwsgi_temp_path ${dir}; scgi_temp_path ${dir};
  ${pool} server { listen 127.0.0.1:${port} backlog=4096; ${locations} } }
`;
}

const HAPROXY_HEAD = `global
  maxconn 8192
  nbthread 1
  tune.h2.max-concurrent-streams 1000
defaults
  mode http
  timeout client 60s
  timeout server 15s
  timeout connect 1s
  http-reuse always`;

/** haproxy as a plain reverse proxy, or with rules that ask of it what the Envoy configuration asks of us. */
export function haproxyConfig(port: number, upstream: number, hasRules: boolean): string {
  const rules = `
  unique-id-format %{+X}o\\ %ci:%cp_%fi:%fp_%Ts_%rt:%pid
  unique-id-header x-request-id
  option forwardfor
  acl host_ok hdr(host) -i ${HOST} catalogue.shop catalogue
  acl p_health path /health
  acl p_v2 path_beg /api/v2/
  acl canary hdr(x-canary) always
  acl p_orders path_reg ^/api/v[0-9]+/orders/[0-9a-f-]+$
  acl p_items path_beg /api/v1/items
  http-request set-header x-forwarded-proto http
  http-request set-header x-route items if p_items
  http-request del-header x-debug
  http-response set-header x-served-by mesh
  use_backend v2 if host_ok p_v2 or host_ok canary
  use_backend v1 if host_ok p_health or host_ok p_orders
  use_backend weighted if host_ok p_items`;
  const server = (name: string, weight = 100) => `  server ${name} 127.0.0.1:${upstream} weight ${weight}`;
  return `${HAPROXY_HEAD}
  retries 2
frontend in
  bind 127.0.0.1:${port} backlog 4096${hasRules ? rules : ""}
  default_backend v1
backend v1
${server("a")}
backend v2
${server("a")}
backend weighted
  balance leastconn
  option redispatch
  retry-on conn-failure 503
${server("a", 90)}
${server("b", 10)}
`;
}

/** nginx as a backend that is spoken to in cleartext HTTP/2. */
export function nginxHttp2Config(port: number, dir: string): string {
  const body = Buffer.alloc(1024, "x").toString();
  return `daemon off; master_process off; worker_processes 1; error_log /dev/null; pid ${dir}/nginx-${port}.pid;
events { worker_connections 4096; }
http { access_log off; keepalive_requests 100000000; client_body_temp_path ${dir}; proxy_temp_path ${dir};
  fastcgi_temp_path ${dir}; uwsgi_temp_path ${dir}; scgi_temp_path ${dir};
  server { listen 127.0.0.1:${port} http2 backlog=4096; http2_max_concurrent_streams 1000;
    location / { default_type application/json; return 200 "${body}"; } } }
`;
}

/** haproxy between cleartext HTTP/2 on both sides. */
export function haproxyHttp2Config(port: number, upstream: number): string {
  return `${HAPROXY_HEAD}
frontend in
  bind 127.0.0.1:${port} backlog 4096 proto h2
  default_backend up
backend up
  server a 127.0.0.1:${upstream} proto h2
`;
}

/** One hop of haproxy's chain: mTLS to `to` (the client's side) or from clients (the server's side); files hold certificate and key. */
export function haproxyHop(options: {
  readonly listen: number | string;
  readonly to: number | string;
  readonly pem: string;
  readonly root: string;
  readonly side: "client" | "server";
  /** HTTP/2 on both sides of the hop. */
  readonly isHttp2?: boolean;
}): string {
  const { pem, root, side } = options;
  const clear = options.isHttp2 === true ? "proto h2" : "";
  const at = (address: number | string) => (typeof address === "string" ? `unix@${address}` : `127.0.0.1:${address}`);
  const tls = `ssl crt ${pem} ca-file ${root} verify required ${options.isHttp2 === true ? "alpn h2" : ""}`;
  return `${HAPROXY_HEAD}
frontend in
  bind ${at(options.listen)} backlog 4096 ${side === "server" ? tls : clear}
  unique-id-format %{+X}o\\ %ci:%cp_%fi:%fp_%Ts_%rt:%pid
  unique-id-header x-request-id
  http-request set-header x-forwarded-proto http
  default_backend out
backend out
  server a ${at(options.to)} ${side === "client" ? tls : clear}
`;
}

/**
 * Where the socks are stored: DATABASE_URL, or what the original image's `-DSN` says (`user:password@tcp(host:port)/database`),
 * or the shop's own catalogue-db under the port that the original declares.
 */
import { flagValue } from "@sock-shop/kit";

export function databaseUrl(env: Readonly<Record<string, string | undefined>>, argv: readonly string[]): string {
  if (env.DATABASE_URL !== undefined) return env.DATABASE_URL;
  const dsn = flagValue(argv, "DSN");
  const match = /^([^:@]+)(?::([^@]*))?@tcp\(([^)]+)\)\/(\w+)/.exec(dsn ?? "");
  if (match !== null) return `postgres://${match[1]}:${match[2] ?? ""}@${match[3]}/${match[4]}`;
  return "postgres://catalogue_user:default_password@catalogue-db:3306/socksdb";
}

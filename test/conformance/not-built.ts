/**
 * Sets whose subject we have not built: every case is listed by its own name, so that the count is true, with the part that is missing.
 * A set leaves this file for one of its own when the part is there.
 */
import { type Case, notApplicable } from "./case.ts";
import type { PeerFolder } from "./peer-folder.ts";

type Rows = readonly Readonly<Record<string, unknown>>[];

/** Cases of `file` as ids; the other files of the set are their inputs. */
function listed(file: string, missing: string, idsOf: (content: unknown) => readonly string[]) {
  return (dir: PeerFolder): readonly Case[] => {
    if (!dir.has(file)) return [];
    const ids = idsOf(dir.json(file));
    dir.countAsInputs();
    return ids.map((id) => notApplicable(id, missing));
  };
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));

export const istioAnalyzers = listed("cases.json", "istioctl analyze", (content) =>
  (content as Rows).map((row) => textOf(row.name)),
);

export const gatewayApi = listed(
  "cases.json",
  "the Gateway API (GatewayClass, Gateway and route kinds of gateway.networking.k8s.io)",
  (content) =>
    (content as Rows).flatMap((row) => {
      const requests = (row.cases ?? []) as Rows;
      const name = textOf(row.shortName);
      return requests.length === 0 ? [name] : requests.map((request) => `${name}/${textOf(request.name)}`);
    }),
);

export const ratelimit = listed(
  "config_cases.json",
  "the rate-limit service (image envoyproxy/ratelimit)",
  (content) => {
    const { lookups = [], loadErrors = [] } = content as { readonly lookups?: Rows; readonly loadErrors?: Rows };
    return [
      ...lookups.map((row) => `lookups/${textOf(row.test)} ${textOf(row.n)}`),
      ...loadErrors.map((row) => `loadErrors/${textOf(row.test)}`),
    ];
  },
);

export const promqltest = listed("cases.json", "PromQL (package observe)", (content) =>
  (content as readonly { readonly file: string; readonly commands: Rows }[]).flatMap(({ file, commands }) =>
    commands
      .filter((command) => textOf(command.cmd).startsWith("eval"))
      .map((command) => `${file}:${textOf(command.line)} ${textOf(command.query)}`),
  ),
);

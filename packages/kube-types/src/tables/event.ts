/** Events. The first column is not a name: kubectl sorts and prints by time. */
import type { Event } from "../event.ts";
import { ageOf, type Column, cellOf } from "./column.ts";

export const eventColumns: readonly Column[] = [
  cellOf<Event>("Last Seen", lastSeen),
  cellOf<Event>("Type", (e) => e.type ?? ""),
  cellOf<Event>("Reason", (e) => e.reason ?? ""),
  cellOf<Event>("Object", (e) => {
    const kind = (e.involvedObject.kind ?? "").toLowerCase();
    const { name } = e.involvedObject;
    return name === undefined || name === "" ? kind : `${kind}/${name}`;
  }),
  cellOf<Event>("Subobject", (e) => e.involvedObject.fieldPath ?? "", { wide: true }),
  cellOf<Event>("Source", source, { wide: true }),
  cellOf<Event>("Message", (e) => (e.message ?? "").trim()),
  cellOf<Event>("First Seen", firstSeen, { wide: true }),
  cellOf<Event>("Count", (e) => e.series?.count ?? e.count ?? 1, { wide: true, type: "integer" }),
  cellOf<Event>("Name", (e) => e.metadata.name, { wide: true }),
];

function firstSeen(event: Event, nowMs: number): string {
  return ageOf(event.firstTimestamp ?? event.eventTime, nowMs);
}

function lastSeen(event: Event, nowMs: number): string {
  const at = event.series?.lastObservedTime ?? event.lastTimestamp;
  return at === undefined || at === null ? firstSeen(event, nowMs) : ageOf(at, nowMs);
}

function source(event: Event): string {
  const component = event.source?.component || (event.reportingComponent ?? "");
  const host = event.source?.host || (event.reportingInstance ?? "");
  return host === "" ? component : `${component}, ${host}`;
}

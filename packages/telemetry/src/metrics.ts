/**
 * Metric cells. A caller resolves a cell once for a tuple of label values and afterwards only adds to it: no label text is built per
 * observation. Families are bounded (what does not fit shares one cell whose labels are all `unknown`), and families created with
 * `idleScrapes` drop cells that did not change for that many expositions; a dropped cell that is used again comes back.
 * Text form: https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export interface FamilyOptions {
  readonly name: string;
  readonly help?: string;
  readonly labels?: readonly string[];
  /** Name of one cell in Envoy's `/stats` text, from its label values. Without it the family shows under its own name. */
  readonly statName?: (values: readonly string[]) => string;
  readonly maxCells?: number;
  readonly idleScrapes?: number;
}

export interface Cell {
  readonly labels: readonly string[];
  value: number;
}

export interface Counter extends Cell {
  add(delta: number): void;
}

export interface Gauge extends Cell {
  add(delta: number): void;
  set(value: number): void;
}

export interface Histogram {
  readonly labels: readonly string[];
  readonly counts: readonly number[];
  readonly count: number;
  readonly sum: number;
  observe(value: number): void;
}

export interface Family<C> {
  readonly options: FamilyOptions;
  readonly kind: "counter" | "gauge" | "histogram";
  /** The cell of these label values, made on first use. Keep it: this is the slow call. */
  cell(...values: readonly string[]): C;
  remove(...values: readonly string[]): void;
  cells(): Iterable<C>;
}

export interface HistogramFamily extends Family<Histogram> {
  readonly buckets: readonly number[];
}

export type AnyFamily = Family<Counter> | Family<Gauge> | HistogramFamily;

export interface Registry {
  counter(options: FamilyOptions): Family<Counter>;
  gauge(options: FamilyOptions): Family<Gauge>;
  histogram(options: FamilyOptions, buckets?: readonly number[]): HistogramFamily;
  families(): readonly AnyFamily[];
  /** Told before families are listed or exposed: whoever has many cells that are seldom counted makes them then. */
  onRead(listener: () => void): void;
  /** The Prometheus text of everything, or of the families whose name passes. Counts as a scrape for idle cells. */
  expose(filter?: (name: string) => boolean): string;
}

/** Envoy's default histogram buckets, which Istio keeps for durations and sizes. */
export const ENVOY_BUCKETS: readonly number[] = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000,
  3_600_000,
];

const DEFAULT_MAX_CELLS = 4096;

interface Tracked {
  readonly labels: readonly string[];
  readonly key: string;
  isAttached: boolean;
  idle: number;
  seen: number;
}

interface CellStore<C extends Tracked> {
  readonly map: Map<string, C>;
  attach(cell: C): void;
}

class NumberCell implements Counter, Gauge, Tracked {
  value = 0;
  isAttached = true;
  idle = 0;
  seen = -1;
  readonly labels: readonly string[];
  readonly key: string;
  readonly #store: CellStore<NumberCell>;

  constructor(labels: readonly string[], key: string, store: CellStore<NumberCell>) {
    this.labels = labels;
    this.key = key;
    this.#store = store;
  }

  add(delta: number): void {
    this.value += delta;
    if (!this.isAttached) this.#store.attach(this);
  }

  set(value: number): void {
    this.value = value;
    if (!this.isAttached) this.#store.attach(this);
  }
}

class HistogramCell implements Histogram, Tracked {
  count = 0;
  sum = 0;
  isAttached = true;
  idle = 0;
  seen = -1;
  readonly counts: number[];
  readonly labels: readonly string[];
  readonly key: string;
  readonly #buckets: readonly number[];
  readonly #store: CellStore<HistogramCell>;

  constructor(labels: readonly string[], key: string, buckets: readonly number[], store: CellStore<HistogramCell>) {
    this.labels = labels;
    this.key = key;
    this.#buckets = buckets;
    this.counts = new Array<number>(buckets.length).fill(0);
    this.#store = store;
  }

  get value(): number {
    return this.count;
  }

  // hot: called three times a request; most values fall in the first buckets, so a scan beats a binary search.
  observe(value: number): void {
    this.count += 1;
    this.sum += value;
    const buckets = this.#buckets;
    for (let i = 0; i < buckets.length; i++) {
      if (value <= (buckets[i] ?? 0)) {
        this.counts[i] = (this.counts[i] ?? 0) + 1;
        break;
      }
    }
    if (!this.isAttached) this.#store.attach(this);
  }
}

export function createRegistry(): Registry {
  const families = new Map<string, AnyFamily>();
  const readers: (() => void)[] = [];
  const find = <F extends AnyFamily>(kind: F["kind"], { name }: FamilyOptions, make: () => F): F => {
    const known = families.get(name);
    if (known !== undefined && known.kind === kind) return known as F;
    const family = make();
    families.set(name, family);
    return family;
  };
  const startRead = () => {
    for (const reader of readers) reader();
  };
  return {
    counter: (options) => find("counter", options, () => numberFamily("counter", options)),
    gauge: (options) => find("gauge", options, () => numberFamily("gauge", options)),
    histogram: (options, buckets = ENVOY_BUCKETS) =>
      find("histogram", options, () => histogramFamily(options, buckets)),
    families() {
      startRead();
      return [...families.values()];
    },
    onRead: (listener) => void readers.push(listener),
    expose(filter) {
      startRead();
      let text = "";
      for (const family of families.values()) {
        if (filter === undefined || filter(family.options.name)) text += exposeFamily(family);
      }
      return text;
    },
  };
}

function numberFamily(kind: "counter" | "gauge", options: FamilyOptions): Family<Counter & Gauge> {
  const store = createStore<NumberCell>(options, (labels, key, owner) => new NumberCell(labels, key, owner));
  return { kind, options, ...store };
}

function histogramFamily(options: FamilyOptions, buckets: readonly number[]): HistogramFamily {
  const store = createStore<HistogramCell>(
    options,
    (labels, key, owner) => new HistogramCell(labels, key, buckets, owner),
  );
  return { kind: "histogram", options, buckets, ...store };
}

function createStore<C extends Tracked>(
  options: FamilyOptions,
  create: (labels: readonly string[], key: string, store: CellStore<C>) => C,
) {
  const names = options.labels ?? [];
  const maxCells = options.maxCells ?? DEFAULT_MAX_CELLS;
  const store: CellStore<C> = {
    map: new Map(),
    attach(cell) {
      cell.isAttached = true;
      cell.idle = 0;
      // Somebody may have made the same cell in between; then that one keeps counting and this one stays apart.
      if (!store.map.has(cell.key)) store.map.set(cell.key, cell);
    },
  };
  const resolve = (values: readonly string[]): C => {
    const key = values.join("\u0000");
    const known = store.map.get(key);
    if (known !== undefined) return known;
    if (store.map.size >= maxCells) {
      const overflow = names.map(() => "unknown");
      const overflowKey = overflow.join("\u0000");
      if (key !== overflowKey && store.map.size >= maxCells) {
        const shared = store.map.get(overflowKey) ?? create(overflow, overflowKey, store);
        store.map.set(overflowKey, shared);
        return shared;
      }
    }
    const cell = create([...values], key, store);
    store.map.set(key, cell);
    return cell;
  };
  return {
    cell: (...values: readonly string[]) => resolve(values),
    remove(...values: readonly string[]) {
      store.map.delete(values.join("\u0000"));
    },
    *cells(): Iterable<C> {
      yield* store.map.values();
    },
  };
}

function exposeFamily(family: AnyFamily): string {
  const { name, help, labels = [], idleScrapes } = family.options;
  let body = "";
  for (const cell of family.cells() as Iterable<(NumberCell | HistogramCell) & Tracked>) {
    if (idleScrapes !== undefined) {
      cell.idle = cell.value === cell.seen ? cell.idle + 1 : 0;
      cell.seen = cell.value;
      if (cell.idle > idleScrapes) {
        cell.isAttached = false;
        family.remove(...cell.labels);
        continue;
      }
    }
    if (cell instanceof NumberCell) body += `${name}${labelText(labels, cell.labels)} ${formatNumber(cell.value)}\n`;
    else if ("buckets" in family) body += exposeHistogram(name, labels, family.buckets, cell);
  }
  if (body === "") return "";
  const header = help === undefined ? "" : `# HELP ${name} ${help.replace(/\\/g, "\\\\").replace(/\n/g, "\\n")}\n`;
  return `${header}# TYPE ${name} ${family.kind}\n${body}`;
}

function exposeHistogram(
  name: string,
  labels: readonly string[],
  buckets: readonly number[],
  cell: HistogramCell,
): string {
  const plain = labelText(labels, cell.labels);
  const prefix = plain === "" ? "{" : `${plain.slice(0, -1)},`;
  let text = "";
  let cumulative = 0;
  for (const [index, bound] of buckets.entries()) {
    cumulative += cell.counts[index] ?? 0;
    text += `${name}_bucket${prefix}le="${bound}"} ${cumulative}\n`;
  }
  text += `${name}_bucket${prefix}le="+Inf"} ${cell.count}\n`;
  return `${text}${name}_sum${plain} ${formatNumber(cell.sum)}\n${name}_count${plain} ${cell.count}\n`;
}

function labelText(names: readonly string[], values: readonly string[]): string {
  if (names.length === 0) return "";
  return `{${names.map((name, i) => `${name}="${escapeLabel(values[i] ?? "")}"`).join(",")}}`;
}

function escapeLabel(value: string): string {
  return /[\\"\n]/.test(value) ? value.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n") : value;
}

function formatNumber(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  return value === Number.NEGATIVE_INFINITY ? "-Inf" : String(value);
}

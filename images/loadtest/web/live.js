/** Asks for the numbers once a second and draws them. */
const byId = (id) => document.getElementById(id);
const cell = (tag, text, className = "") =>
  Object.assign(document.createElement(tag), { textContent: text, className });
const ms = (value) => (value < 10 ? value.toFixed(1) : String(Math.round(value)));
const COLUMNS = [
  ["Endpoint", (row) => row.name],
  ["Requests", (row) => row.requests],
  ["Failed", (row) => row.failures],
  ["per second", (row) => row.perSecond.toFixed(1)],
  ["Average", (row) => ms(row.averageMs)],
  ["p50", (row) => ms(row.p50)],
  ["p90", (row) => ms(row.p90)],
  ["p95", (row) => ms(row.p95)],
  ["p99", (row) => ms(row.p99)],
  ["Max", (row) => ms(row.maxMs)],
  ["p99 service", (row) => ms(row.serviceP99)],
];

function line(values, top, className) {
  const polyline = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
  const step = 600 / Math.max(1, values.length - 1);
  polyline.setAttribute(
    "points",
    values.map((value, i) => `${(i * step).toFixed(1)},${(156 - (value / (top || 1)) * 150).toFixed(1)}`).join(" "),
  );
  polyline.setAttribute("class", className);
  return polyline;
}

function draw(stats) {
  const recent = stats.seconds.slice(-120);
  const last = recent.at(-1);
  byId("host").textContent = stats.host;
  byId("state").textContent = `running for ${Math.round(stats.elapsedMs / 1000)} s`;
  const figures = [
    ["Customers", stats.users],
    ["Requests a second", last?.requests ?? 0],
    [
      "Failed",
      `${stats.total.requests === 0 ? 0 : ((100 * stats.total.failures) / stats.total.requests).toFixed(1)} %`,
    ],
    ["Median, ms", ms(stats.total.p50)],
    ["p95, ms", ms(stats.total.p95)],
    ["p99, ms", ms(stats.total.p99)],
  ];
  byId("figures").replaceChildren(
    ...figures.map(([name, value]) => {
      const box = document.createElement("div");
      box.append(cell("dt", name), cell("dd", value));
      box.className = name === "Failed" && stats.total.failures > 0 ? "bad" : "";
      return box;
    }),
  );
  const rateTop = Math.max(...recent.map((second) => second.requests), 1);
  byId("rates").replaceChildren(
    line(
      recent.map((second) => second.requests - second.failures),
      rateTop,
      "ok",
    ),
    line(
      recent.map((second) => second.failures),
      rateTop,
      "bad",
    ),
  );
  const timeTop = Math.max(...recent.map((second) => second.p95), 1);
  byId("top").textContent = `· top ${ms(timeTop)} ms`;
  byId("times").replaceChildren(
    line(
      recent.map((second) => second.p50),
      timeTop,
      "ok",
    ),
    line(
      recent.map((second) => second.p95),
      timeTop,
      "late",
    ),
  );
  const row = (values, tag) => {
    const tr = document.createElement("tr");
    tr.append(...values.map((value, i) => cell(tag, value, tag === "td" && i === 2 && value > 0 ? "bad" : "")));
    return tr;
  };
  byId("head").replaceChildren(
    row(
      COLUMNS.map(([title]) => title),
      "th",
    ),
  );
  byId("rows").replaceChildren(
    ...[...stats.rows, stats.total].map((each) =>
      row(
        COLUMNS.map(([, value]) => value(each)),
        "td",
      ),
    ),
  );
  byId("failures").replaceChildren(
    ...(stats.failures.length === 0 ? [] : [cell("h2", "Failures")]),
    ...stats.failures.map(({ name, failure, count }) => cell("p", `${count} × ${name}: ${failure}`)),
  );
  if (byId("users").value === "") byId("users").value = stats.users;
}

async function poll() {
  try {
    draw(await (await fetch("stats.json")).json());
  } catch {
    byId("state").textContent = "the load test does not answer: it has ended, or it is on its way";
  }
  setTimeout(() => void poll(), 1000);
}

byId("users-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = JSON.stringify({ users: Number(byId("users").value), spawnRate: Number(byId("rate").value) });
  try {
    const response = await fetch("users", { method: "POST", headers: { "content-type": "application/json" }, body });
    const answer = await response.json();
    byId("notice").textContent = response.ok ? "Applied" : answer.error;
  } catch {
    byId("notice").textContent = "Not applied: no answer";
  }
});
void poll();

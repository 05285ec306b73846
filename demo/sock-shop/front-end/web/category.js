/** All socks: tags, order, page and page size are in the address, so that back, reload and links work. */
import { api, byId, el, fill } from "./shop.js";
import { sockCard, tagList } from "./socks.js";

const DEFAULT_SIZE = 6;
const parameters = () => new URLSearchParams(location.search);

function read() {
  const query = parameters();
  const whole = (name, fallback) => (/^[1-9]\d{0,3}$/.test(query.get(name) ?? "") ? Number(query.get(name)) : fallback);
  return {
    tags: (query.get("tags") ?? "").split(",").filter((tag) => tag !== ""),
    sort: query.get("sort") ?? "id",
    page: whole("page", 1),
    size: whole("size", DEFAULT_SIZE),
  };
}

function go(changes) {
  const next = { ...read(), page: 1, ...changes };
  const query = new URLSearchParams();
  if (next.tags.length > 0) query.set("tags", next.tags.join(","));
  if (next.sort !== "id") query.set("sort", next.sort);
  if (next.page !== 1) query.set("page", String(next.page));
  if (next.size !== DEFAULT_SIZE) query.set("size", String(next.size));
  history.pushState(null, "", `${location.pathname}${query.size > 0 ? `?${query}` : ""}`);
  show();
}

function show() {
  const { tags, sort, page, size } = read();
  byId("sort").value = sort;
  byId("size").value = String(size);
  for (const button of byId("tags").querySelectorAll("button"))
    button.setAttribute("aria-pressed", String(tags.includes(button.dataset.tag)));
  const byTags = tags.length > 0 ? `tags=${encodeURIComponent(tags.join(","))}` : "";
  byId("pages").replaceChildren();
  void fill(byId("socks"), "The socks", async () => {
    const [socks, { size: total }] = await Promise.all([
      api(`/catalogue?page=${page}&size=${size}&sort=${encodeURIComponent(sort)}${byTags && `&${byTags}`}`),
      api(`/catalogue/size${byTags && `?${byTags}`}`),
    ]);
    byId("pages").replaceChildren(...pager(page, Math.max(1, Math.ceil(total / size)), total));
    if (socks.length > 0) return socks.map(sockCard);
    return el(
      "div",
      { class: "state" },
      el("h2", {}, "No socks here"),
      el("p", {}, "No sock has these tags, or this page is past the last one."),
      el("button", { class: "button quiet", type: "button", click: () => go({ tags: [] }) }, "Show all socks"),
    );
  });
}

function pager(page, pages, total) {
  const step = (text, to, isOff) =>
    el("button", { class: "button quiet small", type: "button", disabled: isOff, click: () => go({ page: to }) }, text);
  return [
    el("p", { class: "soft", role: "status" }, `${total} ${total === 1 ? "sock" : "socks"}, page ${page} of ${pages}`),
    el("div", { class: "row" }, step("Previous", page - 1, page <= 1), step("Next", page + 1, page >= pages)),
  ];
}

byId("sort").addEventListener("change", (event) => go({ sort: event.target.value }));
byId("size").addEventListener("change", (event) => go({ size: Number(event.target.value) }));
addEventListener("popstate", show);
void fill(byId("tags"), "The tags", async () => {
  const { tags } = await api("/tags");
  return tagList(tags, (tag) => {
    const toggle = () => {
      const chosen = read().tags;
      go({ tags: chosen.includes(tag) ? chosen.filter((name) => name !== tag) : [...chosen, tag] });
    };
    return el(
      "button",
      { type: "button", "data-tag": tag, "aria-pressed": String(read().tags.includes(tag)), click: toggle },
      tag,
    );
  });
});
show();

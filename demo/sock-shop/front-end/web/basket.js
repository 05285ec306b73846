import { api, byId, el, fill, isLoggedIn, loginUrl, money, say, showCount } from "./shop.js";
import { lineName, socksById, sums } from "./socks.js";

async function show() {
  await fill(byId("basket"), "The contents of your basket", async () => {
    const items = await api("/cart");
    if (items.length === 0)
      return el(
        "div",
        { class: "state" },
        el("h2", {}, "Your basket is empty"),
        el("p", {}, "Ten kinds of socks would like to change that."),
        el("a", { class: "button", href: "/category.html" }, "See all socks"),
      );
    const socks = await socksById(items.map((item) => item.itemId));
    return el(
      "div",
      { class: "split" },
      el(
        "table",
        { class: "cards" },
        el(
          "thead",
          {},
          el(
            "tr",
            {},
            el("th", { scope: "col" }, "Sock"),
            el("th", { scope: "col" }, "Pairs"),
            el("th", { scope: "col", class: "number" }, "Price"),
            el("th", { scope: "col", class: "number" }, "Sum"),
            el("td", {}),
          ),
        ),
        el("tbody", {}, ...items.map((item) => line(item, socks))),
      ),
      el(
        "div",
        { class: "panel stack" },
        el("h2", {}, "Summary"),
        sums(items),
        isLoggedIn()
          ? el("a", { class: "button", id: "to-checkout", href: "/checkout.html" }, "Proceed to checkout")
          : el("a", { class: "button", id: "to-checkout", href: loginUrl() }, "Log in to check out"),
      ),
    );
  });
}

function line(item, socks) {
  const name = socks.get(item.itemId)?.name ?? "this sock";
  const quantity = el("input", {
    class: "quantity",
    type: "number",
    min: 1,
    max: 999,
    value: item.quantity,
    inputmode: "numeric",
    "aria-label": `Pairs of ${name}`,
  });
  quantity.addEventListener("change", () =>
    change("changed", () =>
      api("/cart/update", { method: "POST", json: { id: item.itemId, quantity: Number(quantity.value) } }),
    ),
  );
  const remove = el(
    "button",
    {
      class: "button quiet small",
      type: "button",
      "aria-label": `Remove ${name}`,
      click: () => change("removed", () => api(`/cart/${encodeURIComponent(item.itemId)}`, { method: "DELETE" })),
    },
    "Remove",
  );
  return el(
    "tr",
    {},
    el("td", {}, lineName(item, socks)),
    el("td", { "data-label": "Pairs" }, quantity),
    el("td", { class: "number", "data-label": "Price" }, money(item.unitPrice)),
    el("td", { class: "number", "data-label": "Sum" }, money((Math.round(item.unitPrice * 100) * item.quantity) / 100)),
    el("td", { class: "number" }, remove),
  );
}

async function change(done, work) {
  const notice = byId("notice");
  try {
    await work();
    say(notice, `Your basket is ${done}.`);
  } catch (error) {
    say(notice, `Your basket is not ${done}: ${error.message}`, true);
  }
  await Promise.all([show(), showCount()]);
}

void show();

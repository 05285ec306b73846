/** The list of orders, and one order. */
import { addressLine, cardLine } from "./forms.js";
import { api, byId, el, fill, money, say } from "./shop.js";
import { lineName, socksById, sums } from "./socks.js";

const when = (order) =>
  new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" }).format(new Date(order.date));
const pieces = (order) => order.items.reduce((sum, item) => sum + item.quantity, 0);
const query = new URLSearchParams(location.search);

if (byId("orders") !== null)
  void fill(byId("orders"), "Your orders", async () => {
    const orders = await api("/orders");
    if (orders.length === 0)
      return el(
        "div",
        { class: "state" },
        el("h2", {}, "No orders yet"),
        el("p", {}, "Your first pair is waiting."),
        el("a", { class: "button", href: "/category.html" }, "See all socks"),
      );
    return el(
      "table",
      { class: "cards" },
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          ...["Order", "Date", "Pairs", "Total"].map((name, i) =>
            el("th", { scope: "col", class: i > 1 ? "number" : "" }, name),
          ),
        ),
      ),
      el(
        "tbody",
        {},
        ...orders
          .toReversed()
          .map((order) =>
            el(
              "tr",
              {},
              el(
                "td",
                { "data-label": "Order" },
                el(
                  "a",
                  { href: `/customer-order.html?order=${encodeURIComponent(order.id)}` },
                  el("code", {}, `#${order.id.slice(-8)}`),
                ),
              ),
              el("td", { "data-label": "Date" }, when(order)),
              el("td", { "data-label": "Pairs", class: "number" }, String(pieces(order))),
              el("td", { "data-label": "Total", class: "number" }, money(order.total)),
            ),
          ),
      ),
    );
  });

if (byId("order") !== null)
  void fill(byId("order"), "The details of this order", async () => {
    const order = await api(`/orders/${encodeURIComponent(query.get("order") ?? "")}`);
    const socks = await socksById(order.items.map((item) => item.itemId));
    if (query.has("new")) say(byId("notice"), "Thank you! Your order is placed.");
    byId("order-title").textContent = `Order #${order.id.slice(-8)}`;
    const fact = (name, text) => el("div", { class: "facts" }, el("h2", {}, name), el("p", {}, text));
    return el(
      "div",
      { class: "split" },
      el(
        "div",
        { class: "stack" },
        el("p", { class: "soft" }, `Placed on ${when(order)}`),
        el(
          "table",
          {},
          el(
            "tbody",
            {},
            ...order.items.map((item) =>
              el(
                "tr",
                {},
                el("td", {}, lineName(item, socks)),
                el("td", { class: "number" }, `${item.quantity} × ${money(item.unitPrice)}`),
              ),
            ),
          ),
        ),
      ),
      el(
        "div",
        { class: "panel stack" },
        sums(order.items),
        fact("Sent to", addressLine(order.address)),
        fact("Paid with", order.card === null ? "a card" : cardLine(order.card)),
        fact("Shipment", order.shipment?.id ? `#${order.shipment.id.slice(0, 8)}, handed to the carrier` : "not yet"),
      ),
    );
  });

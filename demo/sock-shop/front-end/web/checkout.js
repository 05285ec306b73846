import { addressForm, addressLine, cardForm, cardLine } from "./forms.js";
import { api, byId, el, fill, say } from "./shop.js";
import { lineName, socksById, sums } from "./socks.js";

const isChosen = { address: undefined, card: undefined };

function part(kind, what, path, lineOf, makeForm) {
  const show = (newest) =>
    fill(byId(kind), what, async () => {
      const items = (await api(path))._embedded[kind];
      isChosen[kind] = newest ?? isChosen[kind] ?? items[0]?.id;
      const choices = items.map((item) =>
        el(
          "label",
          { class: "choice" },
          el("input", {
            type: "radio",
            name: kind,
            value: item.id,
            checked: item.id === isChosen[kind],
            change: () => {
              isChosen[kind] = item.id;
              ready();
            },
          }),
          lineOf(item),
        ),
      );
      ready();
      const form = makeForm(show);
      if (choices.length === 0) return [el("p", { class: "soft" }, `You have no ${kind} yet.`), form];
      return [
        el("fieldset", {}, el("legend", { class: "visually-hidden" }, `Which ${kind}?`), ...choices),
        el("details", {}, el("summary", {}, `Another ${kind}`), form),
      ];
    });
  return show();
}

let hasItems = false;
const ready = () => {
  byId("place-order").disabled = !hasItems || isChosen.address === undefined || isChosen.card === undefined;
};

byId("place-order").addEventListener("click", async () => {
  const button = byId("place-order");
  const notice = byId("notice");
  button.disabled = true;
  say(notice, "Your order is on its way through the shop…");
  try {
    const order = await api("/orders", { method: "POST", json: isChosen });
    location.assign(`/customer-order.html?order=${encodeURIComponent(order.id)}&new=1`);
  } catch (error) {
    const isDeclined = error.status === 406;
    const advice = isDeclined
      ? "Nothing was charged and your basket is untouched."
      : "Your basket is untouched. Look into your orders before you try again.";
    say(notice, `${isDeclined ? "" : "The order did not go through: "}${error.message}. ${advice}`, true);
    ready();
  }
});

void part("address", "Your addresses", "/addresses", addressLine, addressForm);
void part("card", "Your cards", "/cards", cardLine, cardForm);
void fill(byId("summary"), "The contents of your basket", async () => {
  const items = await api("/cart");
  hasItems = items.length > 0;
  ready();
  if (!hasItems) return [el("p", {}, "Your basket is empty."), el("a", { href: "/category.html" }, "See all socks")];
  const socks = await socksById(items.map((item) => item.itemId));
  return [
    el(
      "table",
      {},
      el(
        "tbody",
        {},
        ...items.map((item) =>
          el("tr", {}, el("td", {}, lineName(item, socks)), el("td", { class: "number" }, `× ${item.quantity}`)),
        ),
      ),
    ),
    sums(items),
  ];
});

/** A sock as a card, and putting it into the basket. */
import { api, el, money, say, showCount } from "./shop.js";

export function sockCard(sock) {
  const href = `/detail.html?id=${encodeURIComponent(sock.id)}`;
  return el(
    "article",
    { class: "sock" },
    el(
      "a",
      { class: "picture", href, tabindex: "-1", "aria-hidden": "true" },
      el("img", { src: sock.imageUrl[0], alt: "", width: 460, height: 420 }),
    ),
    el(
      "div",
      { class: "text" },
      el("h3", {}, el("a", { href }, sock.name)),
      el("p", { class: "soft" }, sock.tag.join(" · ")),
      el("div", { class: "row between" }, el("span", { class: "price" }, money(sock.price)), addButton(sock)),
    ),
  );
}

export function addButton(sock, readQuantity = () => 1) {
  const notice = el("span", { class: "notice", role: "status" });
  const button = el(
    "button",
    { class: "button small", type: "button", "aria-label": `Add ${sock.name} to the basket` },
    "Add to basket",
  );
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await api("/cart", { method: "POST", json: { id: sock.id, quantity: readQuantity() } });
      say(notice, "In your basket");
      await showCount();
    } catch (error) {
      say(notice, `Not added: ${error.message}`, true);
    }
    button.disabled = false;
    button.focus();
  });
  return el("div", { class: "stack" }, button, notice);
}

/** The tags as links or buttons; `chosen` is the set of those that are on. */
export function tagList(tags, make) {
  return el("ul", { class: "tags" }, ...tags.map((tag) => el("li", {}, make(tag))));
}

/** Names and pictures for lines that know only a sock's id; what the catalogue does not give away is left out. */
export async function socksById(ids) {
  const found = await Promise.all(
    [...new Set(ids)].map((id) => api(`/catalogue/${encodeURIComponent(id)}`).catch(() => undefined)),
  );
  return new Map(found.filter((sock) => sock !== undefined).map((sock) => [sock.id, sock]));
}

export function lineName(item, socks) {
  const sock = socks.get(item.itemId);
  if (sock === undefined)
    return el(
      "div",
      { class: "mini" },
      el(
        "span",
        {},
        "A sock ",
        el("code", {}, item.itemId.slice(0, 8)),
        el("br"),
        el("span", { class: "soft" }, "its name is out of reach"),
      ),
    );
  return el(
    "div",
    { class: "mini" },
    el("img", { src: sock.imageUrl[0], alt: "", width: 70, height: 64 }),
    el("a", { href: `/detail.html?id=${encodeURIComponent(sock.id)}` }, sock.name),
  );
}

const SHIPPING = 4.99;

export function sums(items) {
  const cents = items.reduce((sum, item) => sum + item.quantity * Math.round(item.unitPrice * 100), 0);
  const row = (name, amount, kind) => [el("dt", { class: kind }, name), el("dd", { class: kind }, money(amount))];
  return el(
    "dl",
    { class: "sums" },
    ...row("Socks", cents / 100),
    ...row("Shipping", SHIPPING),
    ...row("Tax", 0),
    ...row("Total", cents / 100 + SHIPPING, "total"),
  );
}

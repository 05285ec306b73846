import { api, byId, el, fill, money } from "./shop.js";
import { addButton, tagList } from "./socks.js";

const id = new URLSearchParams(location.search).get("id") ?? "";
void fill(byId("sock"), "The details of this sock", async () => {
  const sock = await api(`/catalogue/${encodeURIComponent(id)}`);
  document.title = `${sock.name} · Sock Shop`;
  const picture = el("img", { src: sock.imageUrl[0], alt: `${sock.name}, a pair of socks`, width: 460, height: 420 });
  const thumbs = sock.imageUrl.map((src, i) => {
    const label = i === 0 ? "From the left" : "From the right";
    return el(
      "button",
      {
        type: "button",
        "aria-label": label,
        "aria-pressed": String(i === 0),
        click: () => {
          picture.src = src;
          thumbs.forEach((thumb, j) => void thumb.setAttribute("aria-pressed", String(i === j)));
        },
      },
      el("img", { src, alt: "" }),
    );
  });
  const quantity = el("input", {
    class: "quantity",
    id: "quantity",
    type: "number",
    min: 1,
    max: 999,
    value: 1,
    inputmode: "numeric",
  });
  return el(
    "div",
    { class: "detail" },
    el("div", {}, el("div", { class: "picture" }, picture), el("div", { class: "thumbs" }, ...thumbs)),
    el(
      "div",
      { class: "stack" },
      el("h1", {}, sock.name),
      el("p", {}, sock.description),
      el("p", { class: "price" }, money(sock.price)),
      el("p", { class: "soft" }, sock.count === 1 ? "The last pair" : `${sock.count} pairs in stock`),
      el("div", { class: "field" }, el("label", { for: "quantity" }, "Pairs"), quantity),
      addButton(sock, () => Number(quantity.value)),
      tagList(sock.tag, (tag) => el("a", { href: `/category.html?tags=${encodeURIComponent(tag)}` }, tag)),
    ),
  );
});

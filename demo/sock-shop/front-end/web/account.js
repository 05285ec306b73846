import { addressForm, addressLine, cardForm, cardLine } from "./forms.js";
import { api, byId, el, fill } from "./shop.js";

void fill(byId("me"), "Your details", async () => {
  const [me] = (await api("/customers"))._embedded.customer;
  return el(
    "p",
    {},
    `${[me.firstName, me.lastName].join(" ").trim() || me.username}, known here as `,
    el("strong", {}, me.username),
    ".",
  );
});

function part(kind, what, path, lineOf, makeForm) {
  const show = () =>
    fill(byId(kind), what, async () => {
      const items = (await api(path))._embedded[kind];
      const list = items.map((item) =>
        el(
          "div",
          { class: "row between choice" },
          lineOf(item),
          el(
            "button",
            {
              class: "button quiet small",
              type: "button",
              "aria-label": `Remove ${lineOf(item)}`,
              click: async (event) => {
                event.target.disabled = true;
                await api(`${path}/${item.id}`, { method: "DELETE" }).catch((error) =>
                  event.target.replaceWith(el("span", { class: "notice error", role: "alert" }, error.message)),
                );
                await show();
              },
            },
            "Remove",
          ),
        ),
      );
      return [
        ...(list.length === 0 ? [el("p", { class: "soft" }, "None yet.")] : list),
        el("details", {}, el("summary", {}, `Add ${kind === "address" ? "an address" : "a card"}`), makeForm(show)),
      ];
    });
  return show();
}

void part("address", "Your addresses", "/addresses", addressLine, addressForm);
void part("card", "Your cards", "/cards", cardLine, cardForm);

/** Forms for addresses and cards, used at the checkout and in the account. */
import { api, el, say } from "./shop.js";

const ADDRESS = [
  ["street", "Street", { autocomplete: "address-line1" }],
  ["number", "Number", {}],
  ["postcode", "Postcode", { autocomplete: "postal-code" }],
  ["city", "City", { autocomplete: "address-level2" }],
  ["country", "Country", { autocomplete: "country-name" }],
];
const CARD = [
  [
    "longNum",
    "Card number",
    { autocomplete: "cc-number", inputmode: "numeric", pattern: "[0-9 \\-]{12,23}", title: "12 to 19 digits" },
  ],
  [
    "expires",
    "Valid until (MM/YY)",
    {
      autocomplete: "cc-exp",
      pattern: "(0[1-9]|1[0-2])/[0-9]{2}",
      title: "MM/YY, such as 08/29",
      placeholder: "08/29",
    },
  ],
  [
    "ccv",
    "Security code",
    { autocomplete: "cc-csc", inputmode: "numeric", pattern: "[0-9]{3,4}", title: "3 or 4 digits" },
  ],
];

export const addressForm = (onSaved) => itemForm("address", "/addresses", ADDRESS, "Save address", onSaved);
export const cardForm = (onSaved) => itemForm("card", "/cards", CARD, "Save card", onSaved);
export const addressLine = (a) => `${a.street} ${a.number}, ${a.postcode} ${a.city}, ${a.country}`;
export const cardLine = (c) => `Card ending in ${c.longNum.slice(-4)}${c.expires ? `, valid until ${c.expires}` : ""}`;

function itemForm(kind, path, fields, text, onSaved) {
  const notice = el("p", { class: "notice" });
  const form = el(
    "form",
    { class: "stack", "data-form": kind },
    el(
      "div",
      { class: "fields" },
      ...fields.map(([name, label, attributes]) => field(`${kind}-${name}`, name, label, attributes)),
    ),
    el("div", { class: "row" }, el("button", { class: "button quiet", type: "submit" }, text)),
    notice,
  );
  onSubmit(form, notice, async (json) => {
    const { id } = await api(path, { method: "POST", json });
    form.reset();
    await onSaved(id);
  });
  return form;
}

export function field(id, name, label, attributes) {
  return el(
    "div",
    { class: "field" },
    el("label", { for: id }, label),
    el("input", { id, name, required: true, maxlength: 200, ...attributes }),
  );
}

/** Runs `work` with the form's values; what goes wrong is said in `notice`, and the button waits. */
export function onSubmit(form, notice, work) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("[type=submit]");
    button.disabled = true;
    try {
      await work(Object.fromEntries(new FormData(form)));
    } catch (error) {
      say(notice, `${error.message[0].toUpperCase()}${error.message.slice(1)}.`, true);
    }
    button.disabled = false;
  });
}

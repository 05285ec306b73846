/** Log in and register; afterwards on to the page the customer came from. */
import { onSubmit } from "./forms.js";
import { api, byId } from "./shop.js";

/** Only pages of this shop: anything else could send the customer to somebody else's. */
function next() {
  const wanted = new URLSearchParams(location.search).get("next") ?? "";
  return /^[a-z][a-z0-9-]*\.html(\?[\w=&.%~+-]*)?$/.test(wanted) ? `/${wanted}` : "/";
}

const base64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));

for (const link of document.querySelectorAll("a[data-keeps-next]")) link.href += location.search;
const loginForm = byId("login");
if (loginForm !== null)
  onSubmit(loginForm, byId("notice"), async ({ username, password }) => {
    await api("/login", { headers: { authorization: `Basic ${base64(`${username}:${password}`)}` } });
    location.assign(next());
  });
const registerForm = byId("register");
if (registerForm !== null)
  onSubmit(registerForm, byId("notice"), async (json) => {
    await api("/register", { method: "POST", json });
    location.assign(next());
  });

import { api, byId, el, fill } from "./shop.js";
import { sockCard, tagList } from "./socks.js";

void fill(byId("socks"), "The socks", async () => (await api("/catalogue?size=6")).map(sockCard));
void fill(byId("tags"), "The tags", async () => {
  const { tags } = await api("/tags");
  return tagList(tags, (tag) => el("a", { href: `/category.html?tags=${encodeURIComponent(tag)}` }, tag));
});

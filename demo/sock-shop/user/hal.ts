/** The HAL form of customers, addresses and cards (application/hal+json, RFC draft kelly-json-hal): hrefs are http://<domain>/… as the original's. */
import type { Address, Card, Customer } from "./store.ts";

export interface Links {
  customer(customer: Customer): object;
  address(address: Address): object;
  card(card: Card): object;
}

export function createLinks(domain: string): Links {
  const href = (path: string) => ({ href: `http://${domain}/${path}` });
  return {
    customer: (customer) => ({
      ...customer,
      _links: {
        customer: href(`customers/${customer.id}`),
        self: href(`customers/${customer.id}`),
        addresses: href(`customers/${customer.id}/addresses`),
        cards: href(`customers/${customer.id}/cards`),
      },
    }),
    address: (address) => ({
      ...address,
      _links: { address: href(`addresses/${address.id}`), self: href(`addresses/${address.id}`) },
    }),
    card: (card) => ({ ...card, _links: { card: href(`cards/${card.id}`), self: href(`cards/${card.id}`) } }),
  };
}

export function embed(name: string, items: readonly object[]): object {
  return { _embedded: { [name]: items } };
}

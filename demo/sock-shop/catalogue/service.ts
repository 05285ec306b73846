/**
 * The catalogue's REST API, as the original service has it. Differences, all of them mends: `sort` sorts, and unknown sort orders,
 * negative pages and sizes are 400 instead of a silent empty answer.
 */
import { createService, HttpError, healthRoute, type Request, type Service, vitalStore } from "@sock-shop/kit";
import { drawPicture } from "./pictures.ts";
import type { SockStore, SortOrder } from "./store.ts";

const MAX_PAGE_SIZE = 100;
const MAX_COUNT = 1_000_000;

export function createCatalogueService(store: SockStore, log?: (line: string) => void): Service {
  return createService({
    name: "catalogue",
    ...(log === undefined ? {} : { log }),
    onError: (error) => ({
      status: error.status,
      json: { error: error.message, status_code: error.status, status_text: STATUS_TEXT[error.status] ?? "Error" },
    }),
    routes: [
      {
        method: "GET",
        path: "/catalogue",
        async handle({ query }) {
          const page = readCount(query, "page", 1);
          const size = readCount(query, "size", 10);
          if (page === 0 || size === 0) return { json: [] };
          return {
            json: await store.list({
              tags: readTags(query),
              order: readOrder(query),
              page,
              size: Math.min(size, MAX_PAGE_SIZE),
            }),
          };
        },
      },
      {
        method: "GET",
        path: "/catalogue/size",
        handle: async ({ query }) => ({ json: { size: await store.count(readTags(query)), err: null } }),
      },
      { method: "GET", path: "/catalogue/images/:file", handle: picture },
      {
        method: "GET",
        path: "/catalogue/:id",
        async handle({ params }) {
          // No sock has such an id, and PostgreSQL refuses the question.
          const id = params.id ?? "";
          const sock = id.includes("\0") ? undefined : await store.find(id);
          if (sock === undefined) throw new HttpError(404, "not found");
          return { json: sock };
        },
      },
      { method: "GET", path: "/tags", handle: async () => ({ json: { tags: await store.tags(), err: null } }) },
      healthRoute({ service: "catalogue", timeField: "time", needs: vitalStore("catalogue-db", store) }),
    ],
  });
}

const STATUS_TEXT: Readonly<Record<number, string>> = {
  400: "Bad Request",
  404: "Not Found",
  405: "Method Not Allowed",
  500: "Internal Server Error",
};

function picture({ params }: Request) {
  const svg = drawPicture(params.file ?? "");
  if (svg === undefined) throw new HttpError(404, "not found");
  return { headers: { "content-type": "image/svg+xml", "cache-control": "public, max-age=3600" }, body: svg };
}

function readTags(query: URLSearchParams): readonly string[] {
  const tags = query.get("tags") ?? "";
  if (tags.includes("\0")) throw new HttpError(400, "tags hold a character that no tag has");
  return tags.split(",").filter((tag) => tag !== "");
}

function readOrder(query: URLSearchParams): SortOrder {
  const order = query.get("sort") ?? query.get("order") ?? "id";
  if (order === "" || order === "id") return "id";
  if (order === "name" || order === "price" || order === "count") return order;
  throw new HttpError(400, `cannot sort by "${order}": use id, name, price or count`);
}

function readCount(query: URLSearchParams, name: string, fallback: number): number {
  const text = query.get(name);
  if (text === null || text === "") return fallback;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0 || value > MAX_COUNT)
    throw new HttpError(400, `${name} must be a whole number from 0 to ${MAX_COUNT}`);
  return value;
}

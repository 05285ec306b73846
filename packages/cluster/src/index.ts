export { findAnyPort, findFreePort, HOST, HOST_PORTS, POD_PORTS } from "./ports.ts";

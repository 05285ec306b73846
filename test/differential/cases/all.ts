/** Every case of the differential run. Names are unique: the recorded expectations are kept by name. */
import type { Case } from "../case.ts";
import { BEHAVIOUR_CASES } from "./behaviour.ts";
import { FRAMING_CASES } from "./framing.ts";
import { HEADER_CASES } from "./headers.ts";
import { RESPONSE_CASES } from "./responses.ts";
import { ROUTING_CASES } from "./routing.ts";
import { TARGET_CASES } from "./targets.ts";

export const ALL_CASES: readonly Case[] = [
  ...ROUTING_CASES,
  ...TARGET_CASES,
  ...FRAMING_CASES,
  ...HEADER_CASES,
  ...RESPONSE_CASES,
  ...BEHAVIOUR_CASES,
];

/** One JSON object a line, as every service of the shop logs. */
export function createLogLine(
  level: "info" | "warn" | "error",
  msg: string,
  fields: Readonly<Record<string, string | number | boolean>> = {},
): string {
  return `${JSON.stringify({ time: new Date().toISOString(), level, msg, ...fields })}\n`;
}

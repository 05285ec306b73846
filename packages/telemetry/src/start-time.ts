/** strftime subset of `%START_TIME(…)%`, in UTC, with Envoy's `%3f`, `%6f`, `%9f`, `%f` and `%s` extensions. */
export function formatStartTime(format: string, epochMs: number): string {
  const date = new Date(epochMs);
  const two = (n: number) => String(n).padStart(2, "0");
  return format.replace(/%([1-9]?)([a-zA-Z%])/g, (whole, digits: string, letter: string) => {
    switch (letter) {
      case "Y":
        return String(date.getUTCFullYear());
      case "m":
        return two(date.getUTCMonth() + 1);
      case "d":
        return two(date.getUTCDate());
      case "H":
        return two(date.getUTCHours());
      case "M":
        return two(date.getUTCMinutes());
      case "S":
        return two(date.getUTCSeconds());
      case "F":
        return date.toISOString().slice(0, 10);
      case "T":
        return date.toISOString().slice(11, 19);
      case "y":
        return two(date.getUTCFullYear() % 100);
      case "b":
        return MONTHS[date.getUTCMonth()] ?? "";
      case "a":
        return DAYS[date.getUTCDay()] ?? "";
      case "e":
        return String(date.getUTCDate()).padStart(2, " ");
      case "z":
        return "+0000";
      case "Z":
        return "UTC";
      case "f":
        return `${String(date.getUTCMilliseconds()).padStart(3, "0")}000000`.slice(
          0,
          digits === "" ? 9 : Number(digits),
        );
      case "s":
        return String(Math.floor(epochMs / 1000));
      case "%":
        return "%";
      default:
        return whole;
    }
  });
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

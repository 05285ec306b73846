/** loadtest: customers for the Sock Shop, as locust brings them in the original demo. Ends with a table; exit code 1 when a request failed. */
import { parseOptions, USAGE } from "./options.ts";
import { createStatistics } from "./statistics.ts";
import { formatSummary } from "./summary.ts";
import { startSwarm } from "./swarm.ts";
import { createWebServer } from "./web-server.ts";

main();

function main(): void {
  const argv = process.argv.slice(2);
  if (argv.includes("--help")) return void process.stdout.write(USAGE);
  const parsed = parseOptions(argv, process.env);
  if (!parsed.ok) {
    process.stderr.write(`${parsed.problems.join("\n")}\n\n${USAGE}`);
    process.exitCode = 2;
    return;
  }
  const options = parsed.value;
  const statistics = createStatistics(() => performance.now());
  const swarm = startSwarm(options, statistics);
  const web = options.webPort === undefined ? undefined : createWebServer(options.host, statistics, swarm);
  web?.on("error", (error) => process.stderr.write(`no live page on port ${options.webPort}: ${error.message}\n`));
  web?.listen(options.webPort, () => process.stdout.write(`live page on port ${options.webPort}\n`));
  process.stdout.write(`${options.users} users, ${options.spawnRate} more a second, shop at ${options.host}\n`);

  const summarise = (users = swarm.users()) => process.stdout.write(formatSummary(statistics.report(), users));
  const ticker = setInterval(() => statistics.tick(swarm.users()), 1000);
  const summaries = setInterval(() => summarise(), options.summaryEveryMs);
  let isStopping = false;
  const stop = async () => {
    if (isStopping) return;
    isStopping = true;
    clearInterval(ticker);
    clearInterval(summaries);
    const users = swarm.users();
    await swarm.stop();
    summarise(users);
    web?.close();
    web?.closeAllConnections();
    process.exit(statistics.report().total.failures > 0 ? 1 : 0);
  };
  void swarm.done.then(stop);
  process.once("SIGTERM", () => void stop());
  process.once("SIGINT", () => void stop());
}

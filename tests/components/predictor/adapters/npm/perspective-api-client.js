// perspective-api-client has Google's host written in: here its name means a port of this machine, as /etc/hosts would.
const tls = require("tls");
const [host, port] = process.argv.slice(2);
const connect = tls.connect;
tls.connect = (options, ...rest) =>
  connect(options.host === host ? {...options, host: "127.0.0.1", port, servername: host} : options, ...rest);

const Perspective = require("perspective-api-client");

(async () => {
  const client = new Perspective({apiKey: "any"});
  console.log(JSON.stringify({analyzed: await client.analyze("you idiot", {attributes: ["TOXICITY"]})}));
})();

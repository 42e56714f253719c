// round-robin LISTEN HOST:PORT...: passes each TCP connection on to the next
// of these, whether it is in health or not.
import net from "node:net";

const [listen, ...targets] = process.argv.slice(2);

let turn = 0;
net.createServer({ allowHalfOpen: true }, (client) => {
	const [host, port] = targets[turn++ % targets.length].split(":");
	const server = net.connect({ host, port, allowHalfOpen: true });
	for (const [from, to] of [[client, server], [server, client]]) {
		from.pipe(to);
		from.on("error", () => to.destroy());
		from.on("close", () => to.destroy());
	}
}).listen(listen, () => console.log("ready"));

// cut-proxy LISTEN TARGET SEED MIN MAX: passes TCP connections on to a port of
// this machine, and cuts each after MIN to MAX bytes, either way together, now
// with a reset and now without.
import net from "node:net";

const [listen, target, seed, min, max] = process.argv.slice(2).map(Number);

let state = seed >>> 0;
function random() { // mulberry32
	state = (state + 0x6d2b79f5) >>> 0;
	let t = state;
	t = Math.imul(t ^ (t >>> 15), t | 1);
	t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
	return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}

let cuts = 0;
net.createServer((client) => {
	const server = net.connect(target, "127.0.0.1");
	let left = min + random() * (max - min);
	const cut = () => {
		if (client.destroyed)
			return;
		cuts++;
		if (random() < 0.5) {
			client.resetAndDestroy();
			server.resetAndDestroy();
		} else {
			client.destroy();
			server.destroy();
		}
	};
	const pass = (from, to) => {
		from.on("data", (data) => {
			const part = data.subarray(0, Math.max(0, left));
			left -= data.length;
			to.write(part);
			if (left <= 0)
				setTimeout(cut, random() * 5);
		});
		from.on("end", () => to.end());
		from.on("error", () => to.destroy());
	};
	pass(client, server);
	pass(server, client);
}).listen(listen, "127.0.0.1", () => console.log("ready"));

process.on("SIGTERM", () => {
	console.log(`cuts ${cuts}`);
	process.exit(0);
});

// A bcoin node for tests: regtest, on 127.0.0.1. It looks for no peers and no address of its own.
// Usage: node node.js P2P_PORT RPC_PORT API_KEY [FOLDER]; NODE_PATH names where bcoin is installed.
// Without a folder its chain is in memory.
'use strict';

const FullNode = require('bcoin/lib/node/fullnode');

const [p2pPort, rpcPort, apiKey, folder] = process.argv.slice(2);
const node = new FullNode({
  network: 'regtest',
  memory: !folder,
  prefix: folder,
  workers: false,
  listen: true,
  host: '127.0.0.1',
  port: Number(p2pPort),
  publicHost: '127.0.0.1',
  publicPort: Number(p2pPort),
  httpHost: '127.0.0.1',
  httpPort: Number(rpcPort),
  apiKey,
  maxOutbound: 1,
  discover: false,
  loader: require,
});

node.pool.discoverExternal = async () => {};
node.pool.hosts.dnsSeeds = [];
node.pool.hosts.nodes = [];

process.on('unhandledRejection', (error) => {
  throw error;
});
process.on('SIGTERM', () => process.exit(0));

(async () => {
  await node.ensure();
  await node.open();
  await node.connect();
  node.startSync();
})();

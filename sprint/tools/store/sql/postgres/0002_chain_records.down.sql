DROP TABLE sprint_chains.sources;
DROP TABLE sprint_chains.reorgs;
DROP TABLE sprint_chains.headers;

DROP TABLE sprint_chains_sources;
DROP TABLE sprint_chains_reorgs;
DROP TABLE sprint_chains_headers;

DROP TABLE sprint_chains_parameters;
DROP TABLE sprint_core_heads;
DROP TABLE sprint_core_blocks;
DROP TABLE sprint_core_events;
DROP TABLE sprint_core_log;

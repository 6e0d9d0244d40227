DROP TABLE sprint_chains.parameters;
DROP TABLE sprint_core.heads;
DROP TABLE sprint_core.blocks;
DROP TABLE sprint_core.event_days;
DROP TABLE sprint_core.events;
DROP TABLE sprint_core.log;
DROP SCHEMA sprint_chains;
DROP SCHEMA sprint_core;

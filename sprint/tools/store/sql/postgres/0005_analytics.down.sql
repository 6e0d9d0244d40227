DROP TABLE sprint_analytics.sla;
DROP TABLE sprint_analytics.breakers;
DROP TABLE sprint_analytics.duplicates;
DROP TABLE sprint_analytics.latency;
DROP TABLE sprint_analytics.throughput;
DROP SCHEMA sprint_analytics;

DROP TABLE sprint_analytics_sla;
DROP TABLE sprint_analytics_breakers;
DROP TABLE sprint_analytics_duplicates;
DROP TABLE sprint_analytics_latency;
DROP TABLE sprint_analytics_throughput;

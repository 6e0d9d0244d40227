DROP TABLE sprint_enterprise.peers;
DROP TABLE sprint_enterprise.audit_log;
DROP TABLE sprint_enterprise.api_keys;
DROP TABLE sprint_enterprise.roles;
DROP SCHEMA sprint_enterprise;

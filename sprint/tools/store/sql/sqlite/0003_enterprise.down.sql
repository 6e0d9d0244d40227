DROP TABLE sprint_enterprise_peers;
DROP TABLE sprint_enterprise_audit_log;
DROP TABLE sprint_enterprise_api_keys;
DROP TABLE sprint_enterprise_roles;

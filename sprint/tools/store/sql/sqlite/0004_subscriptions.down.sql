DROP TABLE sprint_core_webhooks;
DROP TABLE sprint_core_cursors;
DROP TABLE sprint_core_subscriptions;

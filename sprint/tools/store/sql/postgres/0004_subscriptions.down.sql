DROP TABLE sprint_core.webhooks;
DROP TABLE sprint_core.cursors;
DROP TABLE sprint_core.subscriptions;

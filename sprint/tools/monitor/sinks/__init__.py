"""Where alerts are sent: webhooks and mail. A sink sends some alerts or raises why it could not."""

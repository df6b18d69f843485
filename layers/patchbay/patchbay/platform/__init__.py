"""What every concept stands on: errors, ids, time, settings, DynamoDB access, cursors, HTTP."""

"""What every vendor needs: requests and their answers, items, webhook calls. One end of the wire."""

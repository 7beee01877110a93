"""What somebody with real weights runs first: each capability once, as one record to send back"""

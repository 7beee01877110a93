"""Published weights as this project takes them: counted, and brought into a backbone folder"""

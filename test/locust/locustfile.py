# The Sock Shop's shopping journey for the real Locust (https://docs.locust.io): what images/loadtest walks, in Locust's own words.
#   locust -f test/locust/locustfile.py --headless --host http://127.0.0.1:8080 --users 10 --spawn-rate 5 --run-time 30s
# Every user has an account of its own, so that baskets do not meet; it is deleted at the end.
import random
import uuid

from locust import HttpUser, between, task

ADDRESS = {"street": "Locust Lane", "number": "1", "city": "Leeds", "postcode": "LS1 1AA", "country": "United Kingdom"}
CARD = {"longNum": "5544154011345918", "expires": "08/29", "ccv": "958"}


class Customer(HttpUser):
    wait_time = between(0.5, 1.5)

    def on_start(self):
        self.username = f"locust-{uuid.uuid4().hex[:12]}"
        self.password = uuid.uuid4().hex
        names = {"firstName": "Lo", "lastName": "Cust", "email": "locust@example.com"}
        account = {"username": self.username, "password": self.password, **names}
        self.customer = self.client.post("/register", json=account).json()["id"]
        self.client.post("/addresses", json=ADDRESS)
        self.client.post("/cards", json=CARD)

    def on_stop(self):
        self.client.delete(f"/customers/{self.customer}", name="/customers/:id")

    @task
    def shop(self):
        sock = random.choice(self.client.get("/catalogue").json())
        self.client.get("/")
        self.client.get("/login", auth=(self.username, self.password))
        self.client.get("/category.html")
        self.client.get(f"/detail.html?id={sock['id']}", name="/detail.html")
        self.client.delete("/cart")
        self.client.post("/cart", json={"id": sock["id"], "quantity": 1})
        self.client.get("/basket.html")
        self.client.post("/orders")

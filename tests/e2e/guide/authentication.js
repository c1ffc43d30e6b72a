const socket = io('wss://yourdomain.com/ws', {
  query: {
    token: 'your-jwt-token',
  },
});
